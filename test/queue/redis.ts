/** A Redis of a test's own, which can die and come back; and a proxy before it that can stop. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

/** Returns a free port of the loopback. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Redis on a port of the loopback, with its append-only file. */
export class TestRedis {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "heteromem-redis-"));
  #process: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<TestRedis> {
    const redis = new TestRedis(await freePort());
    await redis.resume();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the server, with what its file has. */
  async resume(): Promise<void> {
    const options = ["--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""];
    const file = ["--appendonly", "yes", "--appendfsync", "always"];
    this.#process = spawn("redis-server", ["--port", String(this.port), ...options, ...file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    this.#process.stdout!.setEncoding("utf8").on("data", (part: string) => (text += part));
    while (!text.includes("Ready to accept connections"))
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Kills the server. */
  async die(): Promise<void> {
    this.#process?.kill("SIGKILL");
    if (this.#process?.exitCode === null) await once(this.#process, "exit");
  }

  async stop(): Promise<void> {
    await this.die();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Forwards a port of the loopback to another one, and can stop to. */
export class TestProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #stopped = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(to: number): Promise<TestProxy> {
    const server = createServer();
    const proxy = new TestProxy(server);
    server.on("connection", (client) => proxy.#forward(client, connect(to, "127.0.0.1")));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #forward(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(one);
      one.on("data", (data) => {
        if (!this.#stopped) other.write(data);
      });
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }

  /** Lets nothing through, and closes nothing: a cable that is cut. */
  cut(): void {
    this.#stopped = true;
  }

  /** Forwards again; what was open is closed. */
  mend(): void {
    this.#stopped = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
