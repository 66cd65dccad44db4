{
  // What is wider than the page fades at the edge where it goes on, and a line above it says so.
  const watch = (box) => {
    const cue = document.createElement("p");
    cue.className = "cue";
    cue.textContent = "scroll sideways for more \u2192";
    cue.hidden = true;
    box.before(cue);
    const update = () => {
      const left = box.scrollLeft, right = box.scrollWidth - box.clientWidth - left;
      const wide = left > 1 || right > 1;
      cue.hidden = !wide;
      box.classList.toggle("more", right > 1);
      // A part that scrolls must be reached with the keyboard too; one that does not, need not.
      if (wide) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    };
    box.addEventListener("scroll", update, { passive: true });
    const sizes = new ResizeObserver(update); // also when a folded part is opened
    sizes.observe(box);
    if (box.firstElementChild) sizes.observe(box.firstElementChild);
  };
  document.querySelectorAll(".scroll").forEach(watch);
}
