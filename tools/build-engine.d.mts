export function engineModule(modules: readonly string[]): Promise<string>;
