export function engineModule(modules?: readonly string[]): Promise<string>;
export function buildEngine(): Promise<void>;
