/**
 * README's answers to three questions: each console block's command prints what the page shows. The answers
 * take a second or more each, so each has a file of its own.
 */
import { spawnSync } from "node:child_process";
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
function printed(shell: string): string {
  const script = `set -o pipefail\nheteromem() { "${process.execPath}" "${command}" "$@"; }\n${shell}`;
  const { status, stdout } = spawnSync("bash", ["-c", script], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.is(status, 0, shell);
  return stdout;
}

/** The questions of README, in its order. */
const QUESTIONS = ["eviction", "placement", "curve"] as const;

/** Tests that the command of README's answer to a question prints what the page shows. */
export function testAnswer(question: (typeof QUESTIONS)[number]): void {
  const test = suite(`docs: README, ${question}`);
  test("the command prints what the page shows", () => {
    const sessions = sessionsOf(readPage("README.md"));
    assert.is(sessions.length, QUESTIONS.length);
    const { command: shell, output } = sessions[QUESTIONS.indexOf(question)];
    assert.ok(output.length > 100);
    assert.is(printed(shell), output);
  });
  test.run();
}
