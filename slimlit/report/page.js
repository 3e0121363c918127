// Narrows each list of errors to the labels chosen above it, and says how many are left.
for (const browser of document.querySelectorAll(".browser")) {
  const choices = [...browser.querySelectorAll("select")];
  const items = [...browser.querySelectorAll(".errors > li")];
  const narrow = () => {
    let left = 0;
    for (const item of items) {
      item.hidden = choices.some(one => one.value && !(item.getAttribute(`data-${one.dataset.by}`) || "").split("\n").includes(one.value));
      if (!item.hidden) left += 1;
    }
    browser.querySelector(".shown").textContent = `${left} of ${items.length} shown`;
  };
  for (const one of choices) one.addEventListener("change", narrow);
}
