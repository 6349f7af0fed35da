/**
 * The scripts and the style of pages, which tools/build.mjs bundles to build/page.js: that of a run from
 * page/main.ts, that of a sweep from page/sweep.ts.
 */
declare module "#page" {
  const page: { script: string; sweep: string; style: string };
  export default page;
}
