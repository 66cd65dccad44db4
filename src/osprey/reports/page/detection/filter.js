{
  // Precision, recall and photos of one class or one slice, added up anew from every photo.
  const data = JSON.parse(document.getElementById("samples").textContent);
  const form = document.getElementById("filter");
  const byClass = document.getElementById("by-class");
  const bySlice = document.getElementById("by-slice");
  const chosen = document.getElementById("chosen");
  const clear = document.getElementById("clear");
  const cards = [...document.querySelectorAll(".card")];
  const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");

  const update = () => {
    const label = byClass.value === "" ? -1 : Number(byClass.value);
    const [column, code] = (bySlice?.value || "").split(":").map(Number);
    const codes = bySlice?.value ? data.slices[column].codes : null;
    const inside = (photo) => !codes || codes[photo] === code;
    const photos = codes ? codes.filter((value) => value === code).length : data.photos;
    let boxes = 0, found = 0, right = 0;
    for (let at = 0; at < data.rows.length; at += 5) {
      if (!inside(data.rows[at]) || (label >= 0 && data.rows[at + 1] !== label)) continue;
      boxes += data.rows[at + 2];
      found += data.rows[at + 3];
      right += data.rows[at + 4];
    }
    chosen.textContent = `${photos} photos, ${boxes} boxes: recall ${share(right, boxes)}, precision ${share(right, found)}`;
    for (const card of cards) {
      card.hidden = !inside(Number(card.dataset.row)) || (label >= 0 && Number(card.dataset.class) !== label);
    }
    const none = document.getElementById("no-photos");
    if (none) none.hidden = cards.some((card) => !card.hidden);
    clear.hidden = !(byClass.value || bySlice?.value);
  };

  form.addEventListener("change", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();
}
