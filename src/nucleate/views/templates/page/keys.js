// One-letter keys; they rest while one types, and with Ctrl, Alt or Meta.
const typing = (element) => element.matches("input:not([type=checkbox]), textarea, select");

const step = (by) => {
  const rows = [...document.querySelectorAll(".row")].filter((row) => !row.hidden);
  if (rows.length) {
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(at + by, rows.length - 1));
    rows[next].querySelector(".open").focus();
    rows[next].scrollIntoView({ block: "nearest" });
    return;
  }
  const parts = [...document.querySelectorAll(".part, main > section")].filter((part) => part.firstElementChild);
  const places = parts.map((part) => part.getBoundingClientRect().top);
  const at = by > 0 ? places.findIndex((top) => top > 40) : places.findLastIndex((top) => top < -4);
  if (at >= 0) parts[at].scrollIntoView({ block: "start" });
};

const keys = {
  "/": () => (document.querySelector("#q") || document.querySelector("#curve-q"))?.focus(),
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest(".row")?.querySelector("input").click(),
  c: () => document.querySelector("#chosen button:enabled")?.click(),
  u: () => { window.location.href = "/"; },
  "?": () => document.getElementById("keys").showModal(),
};

export const equipKeys = () => {
  document.querySelector("[data-keys]").addEventListener("click", keys["?"]);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    if (document.getElementById("keys").open) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
};
