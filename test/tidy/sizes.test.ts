/** A file or function that is too long needs a reason in LONG_FILES or LONG_FUNCTIONS. */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse, sources } from "./sources.ts";

const FILE_LINES_MAX = 350;
const FUNCTION_LINES_MAX = 60;
const LONG_FILES: Record<string, string> = {
  "src/engine/core.ts": "one interface: the list of what the core exports",
  "src/hmm.ts": "a class that users read whole: most of it is docstrings, and methods of one line",
  "src/space/mm.ts": "a class that users read whole: most of it is docstrings, and methods of one line",
};
/** `file:function`. */
const LONG_FUNCTIONS: Record<string, string> = {
  "assembly/core/access/replay.ts:run": "the loop of the replay, whose state stays in registers",
};

const size = suite("tidy: sizes");

function lineCount(node: ts.Node, file: ts.SourceFile): number {
  const lineOf = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
  return lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
}

function nameOf(node: ts.FunctionLikeDeclaration): string {
  if (node.name) return node.name.getText();
  if (ts.isConstructorDeclaration(node)) return "constructor";
  return ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : "anonymous";
}

/** Whether a node is the nameless function that defines a suite's tests, once for each build. */
function isSuiteWrapper(node: ts.Node): boolean {
  return ts.isArrowFunction(node) && ts.isCallExpression(node.parent);
}

function longFunctions(path: string): string[] {
  const file = parse(path);
  const found: string[] = [];
  const lineOf = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    if (lineOf(node.end) - lineOf(node.pos) < FUNCTION_LINES_MAX) return; // nor is anything in it too long
    if (
      ts.isFunctionLike(node) &&
      "body" in node &&
      node.body &&
      lineCount(node, file) > FUNCTION_LINES_MAX &&
      !(path.startsWith("test/") && isSuiteWrapper(node))
    ) {
      found.push(`${path}:${nameOf(node)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

size(`a file over ${FILE_LINES_MAX} lines has a reason`, () => {
  const long = sources.filter((file) => readFileSync(file, "utf8").split("\n").length - 1 > FILE_LINES_MAX);
  assert.equal(long.sort(), Object.keys(LONG_FILES).sort());
});
size(`a function over ${FUNCTION_LINES_MAX} lines has a reason`, () => {
  assert.equal(sources.flatMap(longFunctions).sort(), Object.keys(LONG_FUNCTIONS).sort());
});
size.run();
