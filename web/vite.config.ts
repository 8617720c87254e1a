// Builds the page into the Python package. Names are fixed, so that a rebuild changes few files;
// the server sends an ETag with each.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { defineConfig, type Plugin } from "vite";

const root = import.meta.dirname;
const out = join(root, "../src/avtca/serve/static");
const inputs = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"];

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** SHA-256 over names and contents, in the order of the names; tests/serve/test_static.py has the same. */
function hash(base: string, paths: string[]): string {
  const names = paths.map((path) => relative(base, path).replaceAll("\\", "/")).sort();
  const sum = createHash("sha256");
  for (const name of names) sum.update(name + "\0").update(readFileSync(join(base, name))).update("\0");
  return sum.digest("hex");
}

const stamp: Plugin = {
  name: "stamp",
  closeBundle() {
    const source = hash(root, [...files(join(root, "src")), ...inputs.map((name) => join(root, name))]);
    const built = hash(out, files(out).filter((path) => !path.endsWith("stamp.json")));
    writeFileSync(join(out, "stamp.json"), JSON.stringify({ source, built }, null, 2) + "\n");
  },
};

export default defineConfig({
  root,
  base: "./",
  plugins: [stamp],
  build: {
    outDir: out,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { app: join(root, "index.html"), capture: join(root, "src/capture.worklet.ts") },
      output: {
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
});
