"use strict";
(() => {
  const root = document.documentElement;

  function theme() {
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const show = () => button.setAttribute("aria-pressed", String(dark()));
    try { // storage may be forbidden
      const kept = localStorage.getItem("cutjoin-theme");
      if (kept === "light" || kept === "dark") root.dataset.theme = kept;
    } catch { /* the system's choice it is */ }
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("cutjoin-theme", root.dataset.theme); } catch { /* for this page only */ }
      show();
    });
    system.addEventListener("change", show);
    show();
  }

  /** Compare two rows' values; missing ones come last in either direction. */
  function order(a, b, sign, numeric) {
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const kind = head.dataset.sort;
      if (kind === "none") return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = kind === "down" ? "descending" : "ascending";
        const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const value = (row) => row.cells[column].dataset.value;
        body.append(...[...body.rows].sort((a, b) => order(value(a), value(b), sign, kind !== "text")));
      });
    });
  }

  function filter() {
    const input = document.getElementById("filter");
    if (!input) return;
    const trivial = document.getElementById("trivial");
    const tables = [...document.querySelectorAll("table.board")];
    const rows = tables.flatMap((t) => [...t.tBodies[0].rows]);
    const text = new Map(rows.map((r) => [r, `${r.cells[0].textContent} ${r.dataset.of} ${r.cells[r.cells.length - 1].textContent}`.toLowerCase()]));
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const wanted = trivial.checked || !row.classList.contains("trivial");
        row.hidden = !(wanted && words.every((w) => text.get(row).includes(w)));
      }
      for (const t of tables) t.tFoot.hidden = [...t.tBodies[0].rows].some((r) => !r.hidden);
      const count = rows.filter((r) => !r.hidden).length;
      document.getElementById("shown").textContent = `${count} of ${rows.length} rows`;
    };
    input.form.hidden = false;
    input.form.addEventListener("submit", (e) => e.preventDefault());
    input.addEventListener("input", apply);
    trivial.addEventListener("change", apply);
    apply();
  }

  /** Open what a link leads into. */
  function unfold() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target) for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
  }

  theme();
  document.querySelectorAll("table.board").forEach(sortable);
  filter();
  unfold();
  addEventListener("hashchange", unfold);
})();
