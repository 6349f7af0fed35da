/** The global of Node that test files name. The engine has none: it runs as in every page. */
export { Buffer } from "buffer";
