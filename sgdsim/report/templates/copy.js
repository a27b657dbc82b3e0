// What is to be pasted elsewhere is copied by a press of a button.
for (const text of document.querySelectorAll("pre.copy")) {
  const frame = document.createElement("div");
  const button = document.createElement("button");
  frame.className = "copied";
  button.textContent = "Copy";
  button.onclick = () => {
    navigator.clipboard.writeText(text.textContent).then(
      () => { button.textContent = "Copied"; },
      () => { getSelection().selectAllChildren(text); button.textContent = "Selected"; },
    );
  };
  text.replaceWith(frame);
  frame.append(text, button);
}
