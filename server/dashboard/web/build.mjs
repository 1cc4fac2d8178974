// Makes dist/ out of src/ and static/, the same bytes each time: node build.mjs [FOLDER]
import { cp, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = process.argv[2] ?? here("dist");
await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here("."),
  entryPoints: { dashboard: "src/main.tsx" },
  bundle: true,
  minify: true,
  charset: "utf8",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "eof",
  outdir: out,
});
await cp(here("static"), out, { recursive: true });
