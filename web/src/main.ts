import "./style.css";
import * as api from "./api";
import { addCoding } from "./coding";
import { append, h } from "./dom";
import { Keys } from "./keys";
import type { Page } from "./page";
import { Player } from "./player";
import { Session } from "./session";
import { Timeline } from "./timeline";

const session = new Session();
const keys = new Keys();
const player = new Player(session);
const timeline = new Timeline(session, (time_s) => player.seek(time_s));
const status = h("p", { class: "hidden", role: "status" });
const panels = h("div", { class: "panels" });
const main = h("main", {}, player.element, timeline.element, panels);

const page: Page = {
  session,
  player,
  timeline,
  keys,
  addPanel: (title, content) => panels.append(h("section", { class: "panel" }, h("h2", {}, title), content)),
  say: (text) => (status.textContent = text),
};

append(document.body, h("header", { class: "top" }, h("h1", {}, "avtca")), main, status);
addCoding(page);
api.models().then((models) => {
  session.models = models;
  session.emit("models", models);
}, () => undefined);
