"use strict";
// Read-outs on charts: the nearest reading under the pointer, or by arrow keys. Nothing depends on it.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const element = (name, attributes) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  const nearest = (points, x) => {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle; else high = middle;
    }
    return x - points[low][0] < points[high][0] - x ? low : high;
  };

  const equip = (chart) => {
    const read = JSON.parse(chart.dataset.read);
    const [, , width, height] = chart.getAttribute("viewBox").split(" ").map(Number);
    const layer = element("g", {});
    chart.append(layer);
    let at = -1;

    const hide = () => { layer.replaceChildren(); tip.hidden = true; at = -1; };

    const show = (index) => {
      at = Math.max(0, Math.min(index, read.p.length - 1));
      const [x, head, values] = read.p[at];
      layer.replaceChildren(element("line", { class: "cross", x1: x, x2: x, y1: 0, y2: height }));
      tip.replaceChildren();
      const title = document.createElement("b");
      title.textContent = head;
      tip.append(title);
      for (const [series, y, shown] of values) {
        const [name, colour] = read.n[series];
        layer.append(element("circle", { class: "dot " + colour, cx: x, cy: y, r: 4 }));
        const row = document.createElement("span");
        const label = document.createElement("i");
        label.className = colour;
        label.textContent = name;
        row.append(label, shown);
        tip.append(row);
      }
      tip.hidden = false;
      const box = chart.getBoundingClientRect();
      const left = box.left + (x / width) * box.width;
      const room = document.documentElement.clientWidth;
      const side = left + 16 + tip.offsetWidth < room ? left + 14 : left - 14 - tip.offsetWidth;
      tip.style.left = Math.max(4, side) + window.scrollX + "px";
      tip.style.top = box.top + window.scrollY + 20 + "px";
    };

    const move = (event) => {
      const box = chart.getBoundingClientRect();
      show(nearest(read.p, ((event.clientX - box.left) / box.width) * width));
    };
    chart.addEventListener("pointermove", move);
    chart.addEventListener("pointerdown", move);
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("pointercancel", hide);
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) { show(at < 0 ? (by > 0 ? 0 : read.p.length - 1) : at + by); event.preventDefault(); }
      if (event.key === "Escape") hide();
    });
  };

  const equipAll = (root) => root.querySelectorAll("svg[data-read]").forEach(equip);
  equipAll(document);
  // The live page replaces drawings; it says where.
  document.addEventListener("nucleate:drawn", (event) => equipAll(event.target));

  document.querySelectorAll("button[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      window.getSelection().selectAllChildren(text);
      try { await navigator.clipboard.writeText(text.textContent); button.textContent = "Copied"; }
      catch { button.textContent = "Selected"; }
    });
  });
})();
