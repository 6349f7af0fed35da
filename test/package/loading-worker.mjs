/** Runs the program in a Worker of Node. */
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { program } from "./loading.mjs";

if (isMainThread) new Worker(new URL(import.meta.url)).on("message", (text) => console.log(text));
else parentPort.postMessage(await program());
