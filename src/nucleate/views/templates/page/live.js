// Ask what has changed, and replace the parts that did: often while something happens, seldom
// while nothing does, never while nobody looks.
import { equipCurves } from "./curves.js";

const SOON = 1500, LATER = 15000;

const have = () => [...document.querySelectorAll(".part")]
  .map((part) => part.id.slice(5) + ":" + part.dataset.digest).join(",");

const replace = (part) => {
  const place = document.getElementById("part-" + part.id);
  if (!place) return;
  place.dataset.digest = part.digest;
  if (part.id === "curves" && place.firstElementChild && part.html) return; // loads itself
  const inside = place.contains(document.activeElement);
  const box = place.querySelector(".lines");
  const scrolled = box ? box.scrollTop : 0;
  place.innerHTML = part.html; // made by the server's templates, where every text is escaped
  place.dispatchEvent(new CustomEvent("nucleate:drawn", { bubbles: true }));
  const now = place.querySelector(".lines");
  if (now) now.scrollTop = scrolled;
  if (inside) { place.tabIndex = -1; place.focus({ preventScroll: true }); }
  if (part.id === "curves") equipCurves();
};

const listSections = (contents) => {
  const list = document.getElementById("contents");
  if (!list) return;
  const wanted = contents.map(([id, name]) => id + name).join();
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...contents.map(([id, name]) => {
    const link = document.createElement("a");
    link.href = "#part-" + id;
    link.textContent = name;
    return link;
  }));
};

let busy = Boolean(document.getElementById("news")?.textContent); // as the page was drawn

const take = (answer) => {
  document.body.dataset.version = answer.version;
  const state = document.getElementById("state");
  if (state.textContent !== answer.state) {
    state.textContent = answer.state;
    state.className = "state state-" + answer.state;
  }
  const news = document.getElementById("news");
  if (news.textContent !== answer.news) news.textContent = answer.news;
  // Reading on must not jump: what stands under the eye stays where it is.
  const anchor = [...document.querySelectorAll(".part")].find(
    (part) => part.getBoundingClientRect().bottom > 0 && part.firstElementChild);
  const before = anchor ? anchor.getBoundingClientRect().top : 0;
  for (const part of answer.parts) replace(part);
  if (anchor && window.scrollY > 0) window.scrollBy(0, anchor.getBoundingClientRect().top - before);
  listSections(answer.contents);
  if (busy && !answer.busy) document.dispatchEvent(new Event("nucleate:settled"));
  busy = answer.busy;
};

export const follow = () => {
  const address = document.body.dataset.live;
  if (!address) return;
  let wait = SOON, timer = 0, asking = false;
  const later = () => { timer = window.setTimeout(ask, wait); };
  const ask = async () => {
    if (document.hidden || asking) return; // asked again when somebody looks, and one at a time
    asking = true;
    try {
      const query = new URLSearchParams({ since: document.body.dataset.version, have: have() });
      const answer = await fetch(address + "?" + query, { cache: "no-store" });
      if (answer.status === 200) {
        const found = await answer.json();
        take(found);
        wait = SOON;
      } else if (answer.status === 204) {
        const state = document.getElementById("state").textContent;
        const ended = state !== "running" && !document.getElementById("news").textContent;
        wait = Math.min(wait * 1.5, ended ? LATER : 3000);
      } else {
        throw new Error(String(answer.status));
      }
      document.body.classList.remove("lost");
    } catch {
      document.body.classList.add("lost");
      document.getElementById("news").textContent =
        "The page has lost its server. What you see is the last it said.";
      wait = Math.min(wait * 2, LATER);
    }
    asking = false;
    later();
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { window.clearTimeout(timer); wait = SOON; ask(); }
  });
  later();
};
