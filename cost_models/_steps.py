"""Steps, which only kernels call: lowered to LLVM, but not made machine code of by themselves.

Numba optimises every function with all that it calls, and generates machine code for it, before it links it
into its callers, where both happen again. For a kernel of forty steps that is most of the time. Here a step
is typed and lowered, and all the rest is done once, for the whole kernel.
"""

from __future__ import annotations

from typing import Any, ClassVar

from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, _LowerResult
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering


class StepLibrary(JITCodeLibrary):  # type: ignore[misc]
    """LLVM code of a step and of the steps that it calls, to be linked into kernels."""

    def _optimize_final_module(self) -> None:
        """Left to the kernel."""

    def _finalize_final_module(self) -> None:
        """No machine code."""
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class StepLowering(NativeLowering):  # type: ignore[misc]
    """Lower a step; nothing can call it but compiled code."""

    _name = "step_lowering"

    def run_pass(self, state: Any) -> bool:
        """As Numba's pass, without an address."""
        state.library = StepLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        # Numba looks a compiled function up by its entry point, which must be a built-in of its own.
        entry = [state.library].count
        done = state.cr
        state.targetctx.insert_user_function(entry, done.fndesc, [state.library])
        state.cr = _LowerResult(done.fndesc, done.call_helper, cfunc=entry, env=done.env)
        return True


class _Remembering:
    """Numba's typing context, which finds the type of an operator on the same types once."""

    known: ClassVar[dict[Any, Any]] = {}

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """The signature of a call."""
        if kws or (isinstance(func, types.Type) and not isinstance(func, types.Function)):
            return self._context.resolve_function_type(func, args, kws)
        key = func, tuple(args)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._context.resolve_function_type(func, args, kws)
        return found


class StepCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's compiler with `StepLowering` for its lowering pass."""

    def define_pipelines(self) -> list[PassManager]:
        """The one pipeline."""
        self.state.typingctx = _Remembering(self.state.typingctx)
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (StepLowering if made is NativeLowering else made, text) for made, text in manager.passes
        ]
        manager.finalize()
        return [manager]
