/** The digest of what decides a job's figures, which tools/build-engine.mjs writes to build/engine.js. */
declare module "#engine" {
  const digest: string;
  export default digest;
}
