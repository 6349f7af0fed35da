/**
 * Compiles AssemblyScript in a process that stays: tree.ts starts it with fork(), sends the arguments of asc,
 * and gets `{ failed, output }` back. Each compilation after the first few takes a quarter of the time of one
 * in a new process.
 */
import asc from "assemblyscript/asc";

process.on("message", (args) => {
  void asc.main(args).then(({ error, stderr }) => {
    process.send({ failed: error !== null, output: stderr.toString() || String(error) });
  });
});
