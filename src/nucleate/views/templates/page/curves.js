// Panels of curves come in when one scrolls to them, two dozen at a time, by search and level.
export const equipCurves = () => {
  const section = document.querySelector("[data-curves]");
  if (!section || section.dataset.ready) return;
  section.dataset.ready = "yes";
  const panels = section.querySelector("#panels");
  const more = section.querySelector("#more");
  const words = section.querySelector("#curve-q");
  const level = section.querySelector("#curve-level");
  const count = section.querySelector("#curve-count");
  let next = "0", asked = 0, timer = 0;

  const load = async (fresh) => {
    const mine = ++asked;
    const start = fresh ? "0" : next;
    panels.setAttribute("aria-busy", "true");
    const query = new URLSearchParams({ q: words.value, level: level.value, start });
    try {
      const answer = await fetch(section.dataset.curves + "?" + query, { cache: "no-store" });
      const text = await answer.text();
      if (mine !== asked || !answer.ok) return;
      const holder = document.createElement("div");
      holder.innerHTML = text; // made by the server's templates, where every text is escaped
      const added = [...holder.children];
      if (fresh) panels.replaceChildren(...added); else panels.append(...added);
      for (const each of added) each.dispatchEvent(new CustomEvent("nucleate:drawn", { bubbles: true }));
      next = answer.headers.get("x-next") || "";
      more.hidden = !next;
      const total = Number(answer.headers.get("x-total"));
      count.textContent = total ? `${panels.children.length} of ${total}` : "none match";
    } catch {
      count.textContent = "not loaded: the server does not answer";
    } finally {
      panels.setAttribute("aria-busy", "false");
    }
  };

  section.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    load(true);
  });
  words.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => load(true), 180);
  });
  level.addEventListener("change", () => load(true));
  more.addEventListener("click", () => load(false));

  // Drawn from samples, or before the verdicts came: once more, unless one has gone further down.
  document.addEventListener("nucleate:settled", () => {
    if (section.isConnected && panels.children.length && panels.children.length <= 24) load(true);
  });

  const near = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) { near.disconnect(); load(true); }
  }, { rootMargin: "400px" });
  near.observe(section);
};
