"use strict";
{
  // Light or dark: the system's choice, until the button says otherwise.
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  system.addEventListener("change", name);
  button.hidden = false;
  name();

  for (const copy of document.querySelectorAll(".copy")) {
    if (!navigator.clipboard) break;
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(copy.previousElementSibling.textContent);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
  }

  // A tap or a pointer over a cell of the confusion matrix says what it holds.
  const said = document.getElementById("said");
  const tell = (event) => {
    const text = event.target.dataset?.said;
    if (text) said.textContent = text;
  };
  document.querySelector(".matrix svg").addEventListener("pointerover", tell);
  document.querySelector(".matrix svg").addEventListener("click", tell);
}
