// The list of runs: search while typing, choose runs for a comparison. The server can do both.
export const equipList = () => {
  const list = document.querySelector(".runs");
  if (!list) return;
  const rows = [...list.querySelectorAll(".row")];
  const search = document.getElementById("q");
  const none = document.getElementById("none");
  const most = Number(list.dataset.most);
  const served = search.value;

  search.addEventListener("input", () => {
    // What the server has filtered away cannot come back here: Enter asks it again.
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.dataset.text.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    none.hidden = shown > 0 || rows.length === 0;
    none.textContent = served ? "No run on this list matches; Enter searches all." : "No run matches.";
  });

  const bar = document.getElementById("chosen");
  if (!bar) return; // one run alone
  const count = document.getElementById("count");
  const button = bar.querySelector("button");
  const hint = count.textContent;
  const choose = () => {
    const ticked = rows.filter((row) => row.querySelector("input").checked);
    for (const row of rows) row.classList.toggle("ticked", ticked.includes(row));
    button.disabled = ticked.length < 2 || ticked.length > most;
    bar.classList.toggle("some", ticked.length > 0);
    count.textContent = ticked.length === 0 ? hint
      : ticked.length === 1 ? "1 run chosen: choose another."
      : ticked.length > most ? `${ticked.length} runs chosen: ${most} at most.`
      : `${ticked.length} runs chosen.`;
  };
  list.addEventListener("change", choose);
  choose();
};
