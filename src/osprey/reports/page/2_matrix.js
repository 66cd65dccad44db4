{
  // A tap or a pointer over a cell of the confusion matrix says what it holds.
  const said = document.getElementById("said");
  const tell = (event) => {
    const text = event.target.dataset?.said;
    if (text) said.textContent = text;
  };
  const picture = document.querySelector(".matrix svg");
  picture?.addEventListener("pointerover", tell);
  picture?.addEventListener("click", tell);
}
