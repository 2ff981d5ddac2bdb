// The words of the reason follow the chosen reason, until somebody writes their own.
const code = document.querySelector("#reason_code");
const words = document.querySelector("#reason");
code?.addEventListener("change", () => {
  const known = [...code.options].map((option) => option.text);
  if (!words.value || known.includes(words.value)) words.value = code.selectedOptions[0].text;
});
