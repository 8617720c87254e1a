// Annotation: adds the coder's lanes and panel.
import type { Page } from "../page";

export function addCoding(_page: Page): void {}
