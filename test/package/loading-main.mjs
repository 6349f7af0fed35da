/** Prints what the program returns; in a SharedWorker, tells it to every page that connects. */
import { program } from "./loading.mjs";

const text = program();
if (typeof SharedWorkerGlobalScope === "undefined") text.then((words) => console.log(words));
else globalThis.onconnect = ({ ports: [port] }) => text.then((words) => port.postMessage(words));
