// The notice to the people who are read, and what the page must not be used for.
import { h } from "./dom";

const PLACES = "It must not be used on people at work or in education, except for medical or safety reasons (EU AI Act, Art. 5(1)(f)), nor for decisions about anybody.";

export function fileNotice(): HTMLElement {
  return h(
    "details",
    { class: "notice", open: true },
    h("summary", {}, "Emotion recognition: inform the people in these recordings"),
    h(
      "p",
      {},
      "This system estimates which emotion the expression of a face and a voice resembles, not what a person feels. The people who are recorded have to be informed that it is used (EU AI Act, Art. 50(3)). ",
      PLACES,
    ),
  );
}

export function cameraNotice(): HTMLElement {
  return h(
    "div",
    { class: "notice camera-notice", role: "note" },
    h("h2", {}, "Notice to everyone in view"),
    h(
      "p",
      {},
      h("b", {}, "Emotion recognition is in use here. "),
      "A machine reads faces and voices in front of this camera and estimates which emotion an expression resembles (EU AI Act, Art. 50(3)). Pictures and sound go to this server alone, are read and are not stored. You may leave the view or ask for it to be stopped.",
    ),
    h("p", { class: "note" }, PLACES),
  );
}
