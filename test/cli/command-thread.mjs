/**
 * Runs the command in a thread that stays, for command.ts: one after the other, so that a run costs what the
 * command itself costs, and not the start of a process. What a run writes is kept, and sent when it ends.
 */
import { workerData } from "node:worker_threads";

const { command, port, turn } = workerData;
const { main } = await import(command);
const written = { stdout: "", stderr: "" };

for (const name of ["stdout", "stderr"])
  process[name].write = (text) => {
    written[name] += typeof text === "string" ? text : Buffer.from(text).toString();
    return true;
  };

/** Sends what became of a run, and wakes the test up, which waits for it. */
function answer(status) {
  port.postMessage({ status, ...written });
  Atomics.store(turn, 0, 1);
  Atomics.notify(turn, 0);
}

/** As Node does in a process: prints the error, and exits with 1. */
function crash(error) {
  written.stderr += `${error?.stack ?? error}\n`;
  answer(1);
}

process.on("uncaughtException", crash);
process.on("exit", answer);
port.on("message", async (args) => {
  Object.assign(written, { stdout: "", stderr: "" });
  process.argv = [process.execPath, command, ...args];
  process.exitCode = undefined;
  try {
    await main();
    answer(Number(process.exitCode ?? 0));
  } catch (error) {
    crash(error);
  }
  process.stdout.removeAllListeners("error");
});
