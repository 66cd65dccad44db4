// The form above the page: a class, a slice, or both. The task's own script says what is in it.
const onChoice = (data, { count, shows }) => {
  const form = document.getElementById("filter");
  const byClass = document.getElementById("by-class");
  const bySlice = document.getElementById("by-slice");
  const clear = document.getElementById("clear");
  const cards = [...document.querySelectorAll(".cards .card")];

  const update = () => {
    const label = byClass.value === "" ? -1 : Number(byClass.value);
    const [column, code] = (bySlice?.value || "").split(":").map(Number);
    const codes = bySlice?.value ? data.slices[column].codes : null;
    const choice = { label, codes, code, inside: (row) => !codes || codes[row] === code };
    document.getElementById("chosen").textContent = count(choice);
    for (const card of cards) card.hidden = !shows(card, choice);
    const none = document.getElementById("no-photos");
    if (none) none.hidden = cards.some((card) => !card.hidden);
    clear.hidden = !(byClass.value || bySlice?.value);
  };

  form.addEventListener("change", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();
};
