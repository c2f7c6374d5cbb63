"use strict";
// One page for studies, sweep tables and network costs. Everything that comes from files is set as text.
(function () {
  const COLOURS = ["#12304a", "#b5452c", "#e39b4b", "#6f9a5b", "#9db7c9", "#3f7d74", "#c9b458", "#8d7bab", "#d98f7c", "#5c6770"];
  const SHAPES = ["", "", "/", "", ".", "\\", "x", "", "+", "-"];
  const CONFIG = { displaylogo: false, responsive: true, displayModeBar: "hover" };
  let data = JSON.parse(document.getElementById("data").textContent);
  const picked = { a: null, b: null };

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    for (const child of children) node.append(child);
    return node;
  }
  const byId = (id) => document.getElementById(id);
  function show(value) {
    if (value === null || value === undefined) return "-";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
    return value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential(3) : value.toPrecision(4);
  }
  function table(columns, rows, options) {
    const head = make("tr", {}, ...columns.map((c) => make("th", { class: c.numeric ? "" : "text", scope: "col", title: c.name }, c.label || c.name)));
    const body = make("tbody", {});
    rows.forEach((row, i) => {
      const line = make("tr", (options || {}).row ? options.row(i) : {});
      columns.forEach((c, k) => line.append(make("td", { class: c.numeric ? "" : "text" }, show(row[k]))));
      body.append(line);
    });
    return make("table", {}, make("thead", {}, head), body);
  }
  function chart(id, low) { return make("div", { id, class: low ? "chart low" : "chart", role: "img" }); }
  function layout(extra) {
    return Object.assign({ margin: { l: 70, r: 15, t: 30, b: 50 }, font: { size: 12, color: "#1c2a33" }, hovermode: "closest", modebar: { orientation: "v" }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" } }, extra, { yaxis: Object.assign({ automargin: true }, extra.yaxis) });
  }
  const column = (name) => data.columns.findIndex((c) => c.name === name);
  const values = (name) => { const k = column(name); return data.rows.map((row) => row[k]); };
  const label = (name) => (data.columns[column(name)] || {}).label || name;
  const numeric = () => data.columns.filter((c) => c.numeric);
  const scale = (name) => (data.columns[column(name)].log ? "log" : "linear");

  // -- limits: rows that all number fields allow ----------------------------------------------------
  const limits = {};
  function limitFields(names, redraw) {
    const box = make("div", { class: "row" });
    for (const name of names) {
      limits[name] = [null, null];
      const field = (side, word) => make("input", {
        type: "number", step: "any", placeholder: word, "aria-label": `${word} ${name}`, "data-limit": `${word} ${name}`,
        oninput: (event) => { limits[name][side] = event.target.value === "" ? null : Number(event.target.value); redraw(); },
      });
      box.append(make("label", {}, `${label(name)} `, field(0, "least"), " ", field(1, "most")));
    }
    return make("details", { id: "limits" }, make("summary", {}, "limits"), box);
  }
  function allowed(i) {
    return Object.entries(limits).every(([name, [low, high]]) => {
      if (low === null && high === null) return true;
      const value = data.rows[i][column(name)];
      return value !== null && (low === null || value >= low) && (high === null || value <= high);
    });
  }
  const kept = () => data.rows.map((_, i) => i).filter(allowed);
  const called = (i) => data.names[i] || i;

  // -- one design: chip, energy, latency of its layers, loop nests -----------------------------------
  function designPart(design, mark) {
    const part = make("section", { class: `design ${mark}`, "aria-label": design.title });
    part.append(make("h2", {}, design.title));
    if (design.figures) part.append(table([{ name: "figure" }, { name: "value", numeric: true }], Object.entries(design.figures)));
    if (design.chip) part.append(make("details", { open: "" }, make("summary", {}, "chip"), make("pre", {}, design.chip)));
    for (const cost of design.costs) {
      part.append(make("h3", {}, cost.network));
      const energy = chart(`energy-${mark}-${cost.id}`, true), cycles = chart(`cycles-${mark}-${cost.id}`, true);
      part.append(energy, cycles);
      const nests = make("details", {}, make("summary", {}, cost.layers.length ? `layers and loop nests (${cost.layers.length})` : `fused stacks (${cost.stacks.length})`));
      for (const stack of cost.stacks) nests.append(make("details", { "data-layer": stack.title }, make("summary", {}, `fused: ${stack.title}`), make("pre", {}, stack.text)));
      cost.layers.forEach((layer) => {
        const split = Object.entries(layer.cycles_split).filter(([, v]) => v > 0).sort((x, y) => y[1] - x[1]);
        nests.append(make("details", { "data-layer": layer.name },
          make("summary", {}, `${layer.name}: ${layer.shape}, ${show(layer.cycles)} cycles, ${show(layer.energy_pj)} pJ, bound by ${layer.bound_by}`),
          table([{ name: "part" }, { name: "cycles", numeric: true }], split), make("pre", {}, layer.nest)));
      });
      part.append(nests);
      requestAnimationFrame(() => { bars(energy.id, cost, "energy_split", "energy", "pJ"); bars(cycles.id, cost, "stack_cycles", "latency", "cycles"); });
    }
    return part;
  }
  // A bar over FAR times the next one is cut and its value stands in it, or it would hide the rest.
  const FAR = 3, MOST_CUT = 3;
  function cut(totals) {
    const order = totals.map((_, i) => i).sort((i, k) => totals[k] - totals[i]);
    let over = 0;
    for (let n = 0; n < Math.min(MOST_CUT, order.length - 1); n++) if (totals[order[n]] > FAR * totals[order[n + 1]] && totals[order[n + 1]] > 0) over = n + 1;
    if (!over) return {};
    const top = 1.08 * totals[order[over]];
    const annotations = order.slice(0, over).map((i) => ({ x: i, y: top, yanchor: "top", text: Number(totals[i].toPrecision(3)).toLocaleString("en-US"), textangle: -90, showarrow: false, bgcolor: "#fff", font: { size: 10 } }));
    return { range: [0, top], annotations };
  }
  const PREFIXES = { pJ: ["pJ", "nJ", "uJ", "mJ", "J"], cycles: ["cycles", "kcycles", "Mcycles", "Gcycles"] };
  const MOST_NAMED = 60;
  function bars(id, cost, field, what, unit) {
    const parts = [], all = [...cost.layers, ...cost.beside];
    const whole = all.map((l) => Object.values(l[field]).reduce((a, b) => a + b, 0));
    const [, top] = cut(whole).range || [0, Math.max(...whole)];  // of the axis: cut bars do not set its unit
    const step = Math.max(0, Math.min(PREFIXES[unit].length - 1, Math.floor(Math.log10(Math.max(top, 1)) / 3)));
    const factor = 1000 ** step, { range, annotations } = cut(whole.map((v) => v / factor));
    const named = all.length <= MOST_NAMED, beside = cost.beside.length ? ", then " + (cost.stacks.length ? "stacks, " : "") + "overhead" : "";
    for (const layer of all) for (const name of Object.keys(layer[field])) if (!parts.includes(name)) parts.push(name);
    const traces = parts.map((name, i) => ({
      type: "bar", name, x: all.map((_, k) => k), y: all.map((l) => (l[field][name] || 0) / factor),
      customdata: all.map((l) => l.name), hovertemplate: `%{customdata}: %{y:.4g} ${PREFIXES[unit][step]}<extra>` + name.replace(/[<>&]/g, "") + "</extra>",
      marker: { color: COLOURS[i % COLOURS.length], pattern: { shape: SHAPES[i % SHAPES.length], fgcolor: "#fff", bgcolor: COLOURS[i % COLOURS.length], solidity: 0.2 } },
    }));
    Plotly.newPlot(id, traces, layout({ barmode: "stack", showlegend: true, annotations: annotations || [], margin: { l: 70, r: 15, t: 60, b: 45 }, xaxis: named ? { tickvals: all.map((_, k) => k), ticktext: all.map((l) => l.name.replace(/[<>&]/g, "").slice(-24)), tickangle: -90, automargin: true, tickfont: { size: 10 } } : { title: { text: "layer number" + beside } }, yaxis: Object.assign({ rangemode: "tozero", title: { text: `${what}, ${PREFIXES[unit][step]}` } }, range ? { range } : {}) }), CONFIG);
    byId(id).on("plotly_click", (event) => openLayer(id, all[event.points[0].x].name));
  }
  function openLayer(id, name) {
    const part = byId(id).closest("section");
    for (const node of part.querySelectorAll("details")) if (node.dataset.layer === name || node.querySelector("[data-layer]")) node.open = node.dataset.layer === name || node.open || !node.dataset.layer;
    const found = [...part.querySelectorAll("[data-layer]")].find((node) => node.dataset.layer === name);
    if (found) { found.open = true; found.scrollIntoView({ block: "nearest" }); }
  }

  // -- studies ---------------------------------------------------------------------------------------
  function axisMenu(id, initial, redraw) {
    const menu = make("select", { id, onchange: redraw });
    for (const c of numeric()) menu.append(make("option", c.name === initial ? { value: c.name, selected: "" } : { value: c.name }, label(c.name)));
    return menu;
  }
  function scatter(id, x, y) {
    const rows = kept(), front = new Set(data.front), xs = values(x), ys = values(y), feasible = values("feasible");
    const trace = (name, members, marker) => ({
      type: "scatter", mode: "markers", name, x: members.map((i) => xs[i]), y: members.map((i) => ys[i]), customdata: members,
      text: members.map((i) => `candidate ${called(i)}`), hovertemplate: "%{text}<br>%{x:.4g}, %{y:.4g}<extra></extra>", marker,
    });
    const traces = [
      trace("misses a limit", rows.filter((i) => !feasible[i]), { color: "#d5dde2", size: 5 }),
      trace("candidate", rows.filter((i) => feasible[i] && !front.has(i)), { color: "#9db7c9", size: 6 }),
      trace("front", rows.filter((i) => front.has(i)), { color: "#12304a", size: 9, symbol: "diamond" }),
    ];
    for (const [mark, colour] of [["a", "#12304a"], ["b", "#b5452c"]]) {
      if (picked[mark] !== null) traces.push(Object.assign(trace(mark === "a" ? "selected" : "compared", [picked[mark]], { color: colour, size: 18, symbol: "circle-open", line: { width: 3 } })));
    }
    if (data.base && data.base[x] !== undefined && data.base[y] !== undefined) traces.push({ type: "scatter", mode: "markers", name: "base chip", x: [data.base[x]], y: [data.base[y]], hovertemplate: `%{x:.4g}, %{y:.4g}<extra>${data.base.label}</extra>`, marker: { color: "#e39b4b", size: 15, symbol: "star", line: { color: "#1c2a33", width: 1 } } });
    Plotly.react(id, traces, layout({ xaxis: { title: { text: x }, type: scale(x) }, yaxis: { title: { text: y }, type: scale(y) } }), CONFIG).then((plot) => {
      plot.removeAllListeners("plotly_click");
      plot.on("plotly_click", (event) => { const i = event.points[0].customdata; if (typeof i === "number") pick(i, event.event && event.event.shiftKey ? "b" : "a"); });
    });
  }
  function history() {
    const first = data.objectives[0], sign = data.maximise.includes(first) ? -1 : 1, ys = values(first), feasible = values("feasible");
    let best = null;
    const line = ys.slice(0, data.candidates).map((value, i) => { if (feasible[i] && value !== null && (best === null || sign * value < sign * best)) best = value; return best; });
    const kind = ys.slice(0, data.candidates).map((value, i) => (feasible[i] ? value : null));
    Plotly.react("history", [{ type: "scatter", mode: "markers", name: "candidate", x: kind.map((_, i) => i), y: kind, marker: { color: "#9db7c9", size: 4 }, hovertemplate: "candidate %{x}: %{y:.4g}<extra></extra>" }, { type: "scatter", mode: "lines", line: { shape: "hv", color: "#12304a" }, x: line.map((_, i) => i), y: line, name: "best so far" }], layout({ xaxis: { title: { text: "candidate" } }, yaxis: { title: { text: first }, type: scale(first) } }), CONFIG);
  }
  function pick(i, mark) {
    picked[mark] = i;
    if (mark === "a" && picked.b === i) picked.b = null;
    redrawStudy();
    details();
  }
  function details() {
    const box = byId("details");
    box.replaceChildren();
    for (const mark of ["a", "b"]) {
      const i = picked[mark];
      if (i === null) continue;
      const design = data.designs[i];
      if (design) box.append(designPart(design, mark));
      else box.append(make("section", { class: `design ${mark}` }, make("h2", {}, `Candidate ${called(i)}`), table([{ name: "figure" }, { name: "value", numeric: true }], data.columns.map((c, k) => [c.name, data.rows[i][k]])), make("p", { class: "faint" }, "Not drawn in detail: only the front's designs are; --designs N takes more.")));
    }
    if (data.base_design && picked.a !== null) box.append(designPart(data.base_design, "base"));
  }
  function frontTable() {
    const rows = data.front.filter((i) => kept().includes(i));
    const names = data.columns.filter((c) => !["front", "feasible", "phase", "generation"].includes(c.name));
    const options = {
      row: (r) => {
        const i = rows[r], mark = picked.a === i ? "a" : picked.b === i ? "b" : "";
        return { tabindex: "0", class: mark, "data-candidate": i, "aria-selected": mark !== "",
          onclick: (event) => pick(i, event.shiftKey ? "b" : "a"),
          onkeydown: (event) => {
            if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(i, "a"); focusRow(i); }
            else if (event.key === "c") { pick(i, "b"); focusRow(i); }
            else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
              event.preventDefault();
              const next = event.key === "ArrowDown" ? event.currentTarget.nextElementSibling : event.currentTarget.previousElementSibling;
              if (next) next.focus();
            }
          } };
      },
    };
    byId("front").replaceChildren(table(names, rows.map((i) => names.map((c) => data.rows[i][column(c.name)])), options));
  }
  function focusRow(i) { const row = document.querySelector(`tr[data-candidate="${i}"]`); if (row) row.focus(); }
  function redrawStudy() {
    scatter("chart1", byId("x1").value, byId("y1").value);
    scatter("chart2", byId("x2").value, byId("y2").value);
    history();
    frontTable();
    byId("count").textContent = `${kept().filter((i) => i < data.candidates).length.toLocaleString("en-US")} of ${data.candidates.toLocaleString("en-US")} candidates`;
  }
  function study() {
    const [first, second] = [data.objectives[0], data.objectives[1] || data.second];
    const main = byId("main");
    main.append(make("p", { id: "count", class: "faint", "aria-live": "polite" }), limitFields(numeric().filter((c) => c.metric).map((c) => c.name), redrawStudy));
    const view = (n, x, y) => make("section", {}, make("label", {}, "across ", axisMenu(`x${n}`, x, redrawStudy)), make("label", {}, "up ", axisMenu(`y${n}`, y, redrawStudy)), chart(`chart${n}`));
    main.append(make("div", { class: "row" }, view(1, second, first), view(2, data.latency, data.energy)));
    main.append(make("h2", {}, "Front"), make("p", { class: "faint" }, "Click or Enter selects a design, shift-click or c compares it, arrows move."), make("div", { id: "front", class: "scroll" }));
    main.append(make("div", { id: "details", class: "row" }), make("h2", {}, "Search so far"), chart("history", true));
    if (data.front.length && picked.a === null) pick(data.front[0], "a");
    else redrawStudy();
  }

  // -- sweep tables ----------------------------------------------------------------------------------
  function sweep() {
    const main = byId("main");
    const numbers = numeric(), menu = axisMenu("value", data.value, draw);
    main.append(make("label", {}, "value ", menu), limitFields(numbers.map((c) => c.name), draw), make("p", { id: "count", class: "faint", "aria-live": "polite" }));
    main.append(chart("parallel"), chart("map"), make("h2", {}, "Points"), make("div", { id: "points", class: "scroll" }));
    function draw() {
      const rows = kept(), value = menu.value, k = column(value);
      byId("count").textContent = `${rows.length} of ${data.rows.length} rows`;
      parallel(rows, value);
      const [x, y] = data.axes;
      if (y === undefined) {
        Plotly.react("map", [{ type: "scatter", mode: "lines+markers", x: rows.map((i) => data.rows[i][column(x)]), y: rows.map((i) => data.rows[i][k]), marker: { color: "#12304a" } }], layout({ xaxis: { title: { text: label(x) } }, yaxis: { title: { text: value } } }), CONFIG);
      } else {
        const xs = [...new Set(values(x))], ys = [...new Set(values(y))];
        const z = ys.map(() => xs.map(() => null));
        for (const i of rows) {
          const [r, c] = [ys.indexOf(data.rows[i][column(y)]), xs.indexOf(data.rows[i][column(x)])];
          const v = data.rows[i][k];
          if (v !== null && (z[r][c] === null || v < z[r][c])) z[r][c] = v;
        }
        Plotly.react("map", [{ type: "heatmap", x: xs.map(String), y: ys.map(String), z, colorscale: "Cividis", colorbar: { title: { text: value } } }], layout({ xaxis: { title: { text: label(x) }, type: "category" }, yaxis: { title: { text: label(y) }, type: "category" } }), CONFIG);
      }
      byId("points").replaceChildren(table(data.columns, rows.map((i) => data.rows[i])));
    }
    draw();
  }

  // A line a row over scaled axes, lines of like values in one colour; plain SVG, as WebGL needs eval.
  function parallel(rows, value) {
    const BINS = 7, columns = data.columns.filter((c) => new Set(values(c.name)).size > 1 && (data.axes.includes(c.name) || c.metric || c.name === "network"));
    const scaled = columns.map((c) => {
      const cells = rows.map((i) => data.rows[i][column(c.name)]);
      const words = [...new Set(cells)], places = c.numeric ? cells : cells.map((w) => words.indexOf(w));
      const real = places.filter((v) => v !== null), low = Math.min(...real), high = Math.max(...real);
      return { low: c.numeric ? low : words[0], high: c.numeric ? high : words[words.length - 1], y: places.map((v) => (v === null ? null : high > low ? (v - low) / (high - low) : 0.5)) };
    });
    const names = columns.map((c) => c.name), at = names.indexOf(value);
    const bin = rows.map((_, r) => (at < 0 || scaled[at].y[r] === null ? 0 : Math.min(BINS - 1, Math.floor(scaled[at].y[r] * BINS))));
    const shades = ["#00224e", "#2a3f6d", "#575d6d", "#7d7c78", "#a59c74", "#d2c060", "#fee838"];
    const traces = shades.map((color, k) => {
      const x = [], y = [], text = [];
      rows.forEach((row, r) => { if (bin[r] === k) { columns.forEach((c, d) => { x.push(d); y.push(scaled[d].y[r]); text.push(`${label(c.name)}: ${show(data.rows[row][column(c.name)])}`); }); x.push(null); y.push(null); text.push(""); } });
      return { type: "scatter", mode: "lines+markers", line: { color, width: 1.5 }, marker: { size: 4 }, x, y, text, hovertemplate: "%{text}<extra></extra>", showlegend: false };
    });
    const ends = scaled.flatMap((s, d) => [{ x: d, y: 1, text: show(s.high), showarrow: false, yshift: 10 }, { x: d, y: 0, text: show(s.low), showarrow: false, yshift: -10 }]);
    Plotly.react("parallel", traces, layout({ annotations: ends, margin: { l: 40, r: 40, t: 40, b: 60 }, title: { text: `darkest: lowest ${value}`, font: { size: 12 } }, xaxis: { tickvals: names.map((_, d) => d), ticktext: names.map(label), automargin: true, zeroline: false }, yaxis: { visible: false, range: [-0.12, 1.12] } }), CONFIG);
  }

  // -- the cost of one network -----------------------------------------------------------------------
  function cost() {
    const design = data.design, one = design.costs[0], roof = one.roof, main = byId("main");
    if (roof) {
      main.append(make("h2", {}, "Roofline"), chart("roofline"));
      const spots = one.layers.filter((l) => l.macs > 0 && l.macs_per_byte !== null);
      const xs = spots.map((l) => l.macs_per_byte), ridge = roof.peak / roof.bandwidth;
      const low = Math.min(ridge, ...xs) / 2, high = Math.max(ridge, ...xs) * 2;
      requestAnimationFrame(() => {
        Plotly.newPlot("roofline", [
          { type: "scatter", mode: "lines", name: `${roof.memory}: ${show(roof.bandwidth)} B/cycle, ${show(roof.peak)} MACs/cycle`, x: [low, ridge, high], y: [low * roof.bandwidth, roof.peak, roof.peak], line: { color: "#1c2a33" } },
          { type: "scatter", mode: "markers", name: "layer", x: xs, y: spots.map((l) => l.macs / l.cycles), text: spots.map((l) => l.name), customdata: spots.map((l) => l.name), hovertemplate: "%{text}<br>%{x:.4g} MACs/B, %{y:.4g} MACs/cycle<extra></extra>", marker: { color: "#b5452c", size: spots.map((l) => 6 + 30 * Math.sqrt(l.cycles / one.cycles)), opacity: 0.75 } },
        ], layout({ xaxis: { type: "log", title: { text: `MACs per byte at ${roof.memory}` } }, yaxis: { type: "log", title: { text: "MACs per cycle" } } }), CONFIG);
        byId("roofline").on("plotly_click", (event) => { const name = event.points[0].customdata; if (name) openLayer(`energy-a-${one.id}`, name); });
      });
    }
    main.append(designPart(design, "a"));
  }

  function draw() {
    document.title = data.title;
    byId("title").textContent = data.title;
    byId("summary").textContent = data.summary;
    byId("main").replaceChildren();
    ({ study, sweep, cost })[data.kind]();
  }
  draw();
  if (data.live) {
    setInterval(async () => {
      try {
        const fresh = await (await fetch("data.json", { cache: "no-store" })).json();
        if (fresh.rows.length === data.rows.length) return;
        data = fresh;
        byId("summary").textContent = data.summary;
        redrawStudy();
      } catch { byId("summary").textContent = data.summary + " (the search's page is no longer served)"; }
    }, 2000);
  }
  window.accelsim = { picked, pick, kept };
})();
