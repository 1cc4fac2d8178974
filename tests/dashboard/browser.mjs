// A browser that is told what to do: a JSON command a line on standard input, an answer a line on
// standard output. browser.py is its other end.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as fixture from "./fixture.mjs";

const web = new URL("../../server/dashboard/web/", import.meta.url);
const require = createRequire(web);
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const DIST = fileURLToPath(new URL("dist", web));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  chromiumSandbox: false,
  args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--host-resolver-rules=MAP cairn.test 127.0.0.1", "--disable-sync", "--disable-dev-shm-usage"],
});

const machine = await browser.newBrowserCDPSession();

let page;
let devtools;
let complaints = [];

// By the debugger: the page's policy forbids to evaluate text, and that is as it should be.
async function evaluate(expression) {
  const { result, exceptionDetails } = await devtools.send("Runtime.evaluate",
    { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function open({ url, width = 1280, height = 800, scheme = "light" }) {
  await page?.context().close();
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  page = await context.newPage();
  devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  complaints = [];
  const origin = new URL(url).origin;
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => request.url().startsWith(origin) || complaints.push(`asked ${request.url()}`));
  await page.goto(url);
}

const AXE_RUN = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })
  .then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")))`;

const commands = {
  open,
  goto: ({ url }) => page.goto(url),
  evaluate: ({ expression }) => evaluate(expression),
  press: ({ key }) => page.keyboard.press(key),
  resize: ({ width, height }) => page.setViewportSize({ width, height }),
  select: ({ selector, value }) => page.selectOption(selector, value),
  fill: ({ selector, value }) => page.fill(selector, value),
  hover: ({ selector, x, y }) => page.hover(selector, { position: { x, y } }),
  click: ({ selector }) => page.click(selector),
  // CPU seconds so far: of the page's main thread, of all of the browser's processes.
  cost: async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    const { processInfo } = await machine.send("SystemInfo.getProcessInfo");
    return {
      page: metrics.find((metric) => metric.name === "TaskDuration").value,
      browser: processInfo.reduce((sum, one) => sum + one.cpuTime, 0),
    };
  },
  axe: async () => (await evaluate(AXE), await evaluate(AXE_RUN)),
  complaints: () => complaints.splice(0),
  screenshot: ({ path, whole = true }) => page.screenshot({ path, fullPage: whole }).then(() => path),
  fixture: async ({ state }) => (await fixture.serve(DIST, fixture[state], state === "empty" ? () => ({ points: [], step_s: 10 }) : undefined)).url,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  const answer = await Promise.resolve(commands[command](options)).then((value) => ({ value: value ?? null }), (error) => ({ error: String(error) }));
  // A response of navigation, of a screenshot: nobody needs it.
  console.log(JSON.stringify(answer, (_, v) => (v?.constructor && ![Object, Array].includes(v.constructor) && typeof v === "object" ? null : v)));
}
await browser.close();
process.exit(0);
