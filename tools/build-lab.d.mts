/** What tests see of tools/build-lab.mjs. */
export function bundleLab(outdir: string): Promise<string[]>;
export function labCode(files: readonly string[], outdir: string): string[];
