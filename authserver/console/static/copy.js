// Copies what stands in a part of the page that is named; without a clipboard it is marked for the keyboard.
for (const button of document.querySelectorAll("[data-copy]")) {
  const place = button.closest(".scripted");
  const said = place.querySelector("[role=status]");
  place.classList.add("ready");
  button.addEventListener("click", async () => {
    const part = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(part.textContent);
      said.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(part);
      said.textContent = "It is marked: copy it with your keyboard.";
    }
  });
}
