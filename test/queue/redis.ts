/** A Redis of a test's own, which can die and come back; and a proxy before it that can stop. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
/** Whether it knows TLS, which not every build does: only then it complains of the value. */
export const hasTls =
  hasRedis &&
  spawnSync("redis-server", ["--tls-auth-clients", "x"], { encoding: "utf8" }).stderr.includes(
    "must be one of",
  );

/** Returns a free port of the loopback. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** How a test's Redis is reached, and how careful it is. */
export interface RedisOptions {
  /** When it syncs its file. Default: always, so that nothing is lost when it dies. */
  sync?: "always" | "everysec";
  password?: string;
  /** A certificate and its key, which clients have to know: it takes TLS alone. */
  certificate?: Certificate;
}

/** A certificate for 127.0.0.1, signed by itself. */
export interface Certificate {
  file: string;
  key: string;
}

/** Makes a certificate by openssl, in a folder. */
export function makeCertificate(folder: string): Certificate {
  const [file, key] = ["redis.crt", "redis.key"].map((name) => join(folder, name));
  const { status, stderr } = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=heteromem"],
    ...["-addext", "subjectAltName=IP:127.0.0.1", "-out", file, "-keyout", key],
  ]);
  if (status !== 0) throw new Error(`openssl: ${stderr.toString()}`);
  return { file, key };
}

/** Redis on a port of the loopback, with its append-only file. */
export class TestRedis {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "heteromem-redis-"));
  readonly #options: RedisOptions;
  #process: ChildProcess | null = null;

  private constructor(port: number, options: RedisOptions) {
    this.port = port;
    this.#options = options;
  }

  static async start(options: RedisOptions = {}): Promise<TestRedis> {
    const redis = new TestRedis(await freePort(), options);
    await redis.resume();
    return redis;
  }

  get url(): string {
    const { password, certificate } = this.#options;
    const user = password === undefined ? "" : `:${password}@`;
    return `${certificate === undefined ? "redis" : "rediss"}://${user}127.0.0.1:${this.port}`;
  }

  #words(): string[] {
    const { sync = "always", password, certificate } = this.#options;
    const words = ["--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""];
    words.push("--appendonly", "yes", "--appendfsync", sync);
    if (password !== undefined) words.push("--requirepass", password);
    if (certificate === undefined) return [...words, "--port", String(this.port)];
    const { file, key } = certificate;
    words.push("--port", "0", "--tls-port", String(this.port), "--tls-auth-clients", "no");
    return [...words, "--tls-cert-file", file, "--tls-key-file", key, "--tls-ca-cert-file", file];
  }

  /** Starts the server, with what its file has. Throws if it ends at once. */
  async resume(): Promise<void> {
    const server = spawn("redis-server", this.#words(), { stdio: ["ignore", "pipe", "inherit"] });
    this.#process = server;
    let text = "";
    server.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
    while (!text.includes("Ready to accept connections")) {
      if (server.exitCode !== null) throw new Error(`redis-server: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
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
