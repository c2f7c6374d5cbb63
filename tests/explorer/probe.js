// Clicks as a reader would, and leaves what it saw in <output id=probe>.
window.addEventListener("load", () => setTimeout(() => {
  const rows = document.querySelectorAll("tr[data-candidate]");
  if (rows.length > 1) {
    rows[1].click();
    document.querySelectorAll("tr[data-candidate]")[0].dispatchEvent(new KeyboardEvent("keydown", {key: "c", bubbles: true}));
  }
  const field = document.querySelector("input[data-limit]");
  if (field) { field.value = "1e300"; field.dispatchEvent(new Event("input")); }
  setTimeout(() => { const n = document.createElement("output"); n.id = "probe"; n.textContent = JSON.stringify({
    faults: window.faults, charts: document.querySelectorAll(".main-svg").length, picked: window.accelsim.picked,
    designs: document.querySelectorAll(".design").length, count: (document.getElementById("count") || {}).textContent,
  }); document.body.append(n); }, 1500);
}, 1500));
