/** README's answers: each console block's command prints what the page shows. */
import { spawn } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { command } from "../cli/command.ts";
import { readPage } from "./programs.ts";

interface Session {
  command: string;
  output: string;
}

/** The sessions of a page: lines after "$ " and "> " are a command, and the others are its output. */
function sessionsOf(markdown: string): Session[] {
  return [...markdown.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text]) => {
    const lines = text.split(/^/m);
    const typed = lines.filter((line) => /^[$>] /.test(line));
    return {
      command: typed.map((line) => line.slice(2)).join(""),
      output: lines.slice(typed.length).join(""),
    };
  });
}

/** Runs a shell command that may call heteromem, and returns what it prints. */
async function printed(shell: string): Promise<string> {
  const script = `set -o pipefail\nheteromem() { "${process.execPath}" "${command}" "$@"; }\n${shell}`;
  const bash = spawn("bash", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  bash.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const status = await new Promise((resolve) => bash.on("close", resolve));
  assert.is(status, 0, shell);
  return output;
}

const test = suite("docs: commands");
test("README answers three questions, and the commands print what it shows", async () => {
  const sessions = sessionsOf(readPage("README.md"));
  assert.is(sessions.length, 3);
  const outputs = await Promise.all(sessions.map(({ command: shell }) => printed(shell)));
  outputs.forEach((output, i) => assert.is(output, sessions[i].output));
  assert.ok(outputs.every((output) => output.length > 100));
});
test.run();
