// The map of heads: a look, a role and a head are chosen; the static maps say the same of the last look.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const make = (name, attributes = {}, text = "") => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };
  const html = (name, text = "", className = "") => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const written = (value) => {
    if (value === null || value === undefined) return "–";
    const shown = Math.abs(value).toFixed(2).replace(/^0\./, ".");
    return (value < 0 && Number(shown) ? "−" : "") + shown;
  };

  const equip = (root) => {
    const data = JSON.parse(root.dataset.heads);
    const wide = data.heads.length / data.layers, last = data.at.length - 1;
    const first = data.roles.findIndex((role) => role.name === "entity link" && role.held[last].length);
    const state = { role: Math.max(0, first), look: last, head: 0 };
    const [role, look, shown, map, curves, said, who, story] =
      ["role", "look", "shown", "map", "curves", "said", "who", "story"].map((name) => root.querySelector(`[data-part=${name}]`));
    data.roles.forEach((one, i) => role.append(new Option(one.name, i, false, i === state.role)));
    look.max = last;
    look.value = last;

    const lead = () => {
      const one = data.roles[state.role];
      const held = one.held[state.look].length ? one.held[state.look] : one.held[last];
      const values = one.v[state.look].map((value) => value ?? -Infinity);
      state.head = held.length ? held[0] : values.indexOf(Math.max(...values));
    };

    const since = (one, head, at) => {
      let begun = at;
      while (begun > 0 && one.held[begun - 1].includes(head)) begun -= 1;
      return begun ? `since ${data.shown[begun]} (not at ${data.shown[begun - 1]})` : "from the first look on";
    };

    const drawMap = () => {
      const one = data.roles[state.role];
      const most = Math.max(1e-9, ...one.v.flat().map((value) => (value ?? 0) - one.chance));
      const cell = Math.min(46, 330 / wide), left = 34, top = 22;
      map.replaceChildren();
      const across = left + cell * wide + 4;
      map.setAttribute("viewBox", `0 0 ${across} ${top + cell * data.layers + 4}`);
      map.style.maxWidth = `${across * 1.15}px`;
      for (let h = 0; h < wide; h += wide > 16 ? 4 : 1)
        map.append(make("text", { class: "tick", x: left + (h + 0.5) * cell, y: top - 8, "text-anchor": "middle" }, `H${h}`));
      for (let l = 0; l < data.layers; l += 1)
        map.append(make("text", { class: "tick", x: left - 7, y: top + (l + 0.5) * cell + 4, "text-anchor": "end" }, `L${l}`));
      data.heads.forEach((name, i) => {
        const x = left + (i % wide) * cell, y = top + Math.floor(i / wide) * cell;
        const value = one.v[state.look][i], held = one.held[state.look].includes(i);
        const box = { x: x + 1, y: y + 1, width: cell - 2, height: cell - 2, rx: 3 };
        const share = Math.max(0, ((value ?? one.chance) - one.chance) / most);
        const group = make("g", {
          class: "pick" + (i === state.head ? " picked" : ""), role: "button", tabindex: 0,
          "aria-pressed": i === state.head,
          "aria-label": `${name}: ${one.name} ${written(value)}${held ? ", has the role" : ""}`,
        });
        group.append(make("rect", { ...box, class: "cell lv-mechanism", "fill-opacity": (0.55 * share).toFixed(3) }));
        if (held) group.append(make("rect", { ...box, class: "held" }));
        if (wide <= 8) group.append(make("text", { class: "cell-word", x: x + cell / 2, y: y + cell / 2 + 4, "text-anchor": "middle" }, written(value)));
        if (i === state.head) group.append(make("rect", { x: x - 2, y: y - 2, width: cell + 4, height: cell + 4, rx: 5, class: "ring" }));
        const pick = () => { state.head = i; draw(); map.querySelector(".picked").focus(); };
        group.addEventListener("click", pick);
        group.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") { pick(); event.preventDefault(); }
        });
        map.append(group);
      });
    };

    const drawCurve = (values, errors, caption, top, labels) => {
      const left = 40, right = 330, high = 74, bottom = top + high;
      const least = data.at.find((t) => t > 0) ?? 1; // a look before the first token stands there
      const begin = Math.log(least), span = Math.log(Math.max(data.at[last], least)) - begin || 1;
      const x = (t) => left + ((Math.log(Math.max(t, least)) - begin) / span) * (right - left);
      const series = values.map((look, t) => [look[state.head], errors[t][state.head] ?? 0]);
      const known = series.filter(([value]) => value !== null);
      const ends = known.flatMap(([value, error]) => [value - 1.96 * error, value + 1.96 * error]);
      const low = Math.min(0, ...ends), up = Math.max(1e-3, ...ends);
      const y = (value) => bottom - ((value - low) / (up - low)) * high;
      curves.append(make("text", { class: "measure", x: left, y: top - 7 }, caption));
      for (const tick of [0, up])
        curves.append(
          make("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
          make("text", { class: "tick", x: left - 7, y: y(tick) + 4, "text-anchor": "end" }, written(tick)),
        );
      let path = "";
      series.forEach(([value, error], t) => {
        if (value === null) return;
        path += `${path ? "L" : "M"}${x(data.at[t]).toFixed(1)} ${y(value).toFixed(1)}`;
        curves.append(make("line", { class: "se", x1: x(data.at[t]), x2: x(data.at[t]), y1: y(value - 1.96 * error), y2: y(value + 1.96 * error) }));
      });
      curves.append(make("path", { class: "line lv-mechanism", d: path }));
      const now = series[state.look][0];
      curves.append(make("line", { class: "cross", x1: x(data.at[state.look]), x2: x(data.at[state.look]), y1: top, y2: bottom }));
      if (now !== null) curves.append(make("circle", { class: "dot lv-mechanism", cx: x(data.at[state.look]), cy: y(now), r: 4.5 }));
      if (labels) [0, last].forEach((t) => curves.append(make("text", { class: "tick", x: x(data.at[t]), y: bottom + 18, "text-anchor": t ? "end" : "start" }, data.shown[t])));
    };

    const drawStory = () => {
      const rows = data.story && data.story.a[state.look];
      story.hidden = !rows;
      if (!rows) return;
      const attention = rows[state.head], words = html("p", "", "storied");
      data.story.words.forEach((word, i) => {
        const marked = html("mark", word);
        marked.style.setProperty("--a", attention[i] / 100);
        if (attention[i] >= 5) marked.title = `${attention[i]} %`;
        words.append(marked, " ");
      });
      words.append(html("b", `→ ${data.story.answer}`));
      story.replaceChildren(html("span", `Where ${data.heads[state.head]} looks in a story, from its last word:`, "unit"), words);
    };

    const draw = () => {
      const one = data.roles[state.role], i = state.head, t = state.look;
      shown.textContent = `${data.shown[t]} ${data.axis}, look ${t + 1} of ${last + 1}`;
      look.setAttribute("aria-valuetext", shown.textContent);
      drawMap();
      curves.replaceChildren();
      drawCurve(one.v, one.s, `${data.heads[i]}: ${one.name}${one.unit === "fraction" ? "" : `, ${one.unit}`}`, 20, false);
      drawCurve(one.e, one.f, "lost without it, nats", 124, true);
      const held = one.held[t].includes(i);
      said.textContent = `${data.heads[i]} at ${data.shown[t]}: ${one.name} ${written(one.v[t][i])} ± ${written(1.96 * (one.s[t][i] ?? 0))}, lost without it ${written(one.e[t][i])} ± ${written(1.96 * (one.f[t][i] ?? 0))} nats; ` +
        (held ? `has the role ${since(one, i, t)}.` : "does not have the role here.");
      who.replaceChildren();
      data.roles.forEach((each) => {
        const names = each.held[t].map((head) => `${data.heads[head]} ${since(each, head, t)}`);
        who.append(html("dt", each.name), html("dd", names.join("; ") || "no head"));
      });
      drawStory();
    };

    role.addEventListener("change", () => { state.role = Number(role.value); lead(); draw(); });
    look.addEventListener("input", () => { state.look = Number(look.value); draw(); });
    lead();
    draw();
    root.hidden = false;
  };

  const all = () => document.querySelectorAll("[data-heads][hidden]").forEach(equip);
  all();
  document.addEventListener("nucleate:drawn", all); // the live page draws sections anew
})();
