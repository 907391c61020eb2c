// What a member of the workspace offers, for a service written with the npm package @dapr/dapr:
// token, readiness, inbox, replies and dead letters. See docs/members.md of a workspace.
import { createHash, timingSafeEqual } from "node:crypto";
import { existsSync, renameSync } from "node:fs";
import { DaprServer, HttpMethod, StateConcurrencyEnum } from "@dapr/dapr";
import express from "express";

const PUBSUB = "pubsub";
const STORE = "statestore";
const INBOX_TTL_SECONDS = 7 * 24 * 3600;
const ATTEMPTS = 10;
const MAX_LETTERS = 200;
const NAMESPACE_URL = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";
const NAMESPACE = uuid5(NAMESPACE_URL, "urn:dapr-styles:derived-id");
const SUCCESS = "SUCCESS";
const RETRY = "RETRY";

/** What can never succeed, however often it is tried. */
export class Rejected extends Error {}

export class Member {
  constructor(appId, { ready = "/readyz", alive = "/healthz" } = {}) {
    this.appId = appId;
    this.deadLetterTopic = `${appId}-dead-letters`;
    this.handlers = new Map();
    this.api = express();
    this.server = new DaprServer({
      serverHost: "127.0.0.1",
      serverPort: process.env.APP_PORT,
      serverHttp: this.api,
      logger: { level: "warn" },
    });
    this.client = this.server.client;
    this.api.get(alive, (_, response) => response.send({ status: "alive" }));
    this.api.get(ready, (_, response) => this.answerReadiness(response));
  }

  /** An API of its own, without a token. */
  get(path, answer) {
    this.api.get(path, async (request, response) => {
      const found = await answer(request.params);
      response.status(found ? 200 : 404).send(found ?? { detail: "there is no such thing" });
    });
  }

  /** Choreography: an event in, the outcomes out to their own topics. */
  on(topic, handle) {
    this.handlers.set(topic, { handle, isCommand: false });
  }

  /** A command, over pub/sub and by service invocation. */
  takes(topic, handle) {
    this.handlers.set(topic, { handle, isCommand: true });
  }

  async start() {
    // After the open routes and before all others: only the sidecar may call them.
    this.api.use((request, response, next) => {
      if (isTheToken(request.get("dapr-api-token"))) next();
      else response.status(401).set("www-authenticate", "dapr-api-token").send({ status: 401 });
    });
    for (const [topic, { isCommand }] of this.handlers) {
      await this.subscribe(topic, (message) => this.take(topic, message));
      if (isCommand) {
        await this.server.invoker.listen(`commands/${topic}`, (call) => this.answer(topic, call), {
          method: HttpMethod.POST,
        });
      }
    }
    await this.subscribe(this.deadLetterTopic, (message) =>
      this.keep(message, null, "unknown", "the delivery failed until the retry policy gave up"),
    );
    this.showDeadLetters();
    await this.server.start();
  }

  async answerReadiness(response) {
    const reachable = await this.client.health.isHealthy().catch(() => false);
    response.status(reachable ? 200 : 503).send({ ready: reachable });
  }

  /** `take` has to return: this SDK acknowledges what throws. */
  subscribe(topic, take) {
    return this.server.pubsub.subscribeWithOptions(PUBSUB, topic, {
      callback: (message) =>
        take(message).then(
          () => SUCCESS,
          (error) => {
            console.error(`${topic}: ${error}`);
            return RETRY;
          },
        ),
      // The message as it was published, with its id and its source.
      metadata: { rawPayload: true },
      deadLetterTopic: topic === this.deadLetterTopic ? undefined : this.deadLetterTopic,
    });
  }

  /** A delivery. Throws what may succeed later. */
  async take(topic, message) {
    try {
      const event = readEvent(message);
      for (const outcome of await this.process(topic, event)) {
        const to = this.handlers.get(topic).isCommand ? event.replyto : topicOf(outcome.type);
        if (!to) throw new Rejected("the command has no replyto, and cannot be answered");
        await this.publish(to, outcome);
      }
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      await this.keep(message, topic, "permanent", error.message);
    }
  }

  /** A service invocation: any answer but a reply means "ask again". */
  async answer(topic, call) {
    try {
      const [reply] = await this.process(topic, readEvent(JSON.parse(call.body)));
      return reply;
    } catch (error) {
      return { status: 503, detail: String(error) };
    }
  }

  /** Once for each source and id: writes and inbox record are one transaction. */
  async process(topic, event) {
    const inbox = `inbox:${derivedId(event.source, event.id)}`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const tx = new Transaction(this.client);
      const recorded = await tx.get(inbox);
      if (recorded) return recorded.outcomes;
      const outcomes = (await this.run(topic, event, tx)).map((outcome, number) =>
        this.envelope(outcome, event, number),
      );
      tx.put(inbox, { outcomes }, INBOX_TTL_SECONDS);
      if (await tx.commit()) {
        dieOnce();
        return outcomes;
      }
    }
    throw new Error(`${topic}: ${ATTEMPTS} transactions were lost to others`);
  }

  async run(topic, event, tx) {
    const { handle, isCommand } = this.handlers.get(topic);
    try {
      if (event.type !== `${topic}.v1`) throw new Rejected(`type ${event.type} is not known`);
      return await handle(event, tx);
    } catch (error) {
      if (!(error instanceof Rejected && isCommand)) throw error;
      tx.discard();
      return [{ type: "command-refused.v1", data: { subject: event.subject, reason: error.message } }];
    }
  }

  envelope({ type, data }, cause, number) {
    return {
      specversion: "1.0",
      // The same for the same cause, so that who gets it twice knows it.
      id: derivedId(this.appId, cause.source, cause.id, type, String(number)),
      source: this.appId,
      type,
      subject: cause.subject,
      time: new Date().toISOString(),
      datacontenttype: "application/json",
      ...(cause.traceparent && { traceparent: cause.traceparent }),
      causationid: cause.id,
      data,
    };
  }

  async publish(topic, event) {
    const { error } = await this.client.pubsub.publish(PUBSUB, topic, event, {
      contentType: "application/cloudevents+json",
      metadata: { rawPayload: "true" },
    });
    if (error) throw error;
  }

  async keep(message, topic, kind, cause) {
    const payload = typeof message === "string" ? message : JSON.stringify(message);
    const id = derivedId("dead-letter", payload);
    const letter = {
      id,
      topic,
      event_id: message?.id ?? null,
      type: message?.type ?? null,
      subject: message?.subject ?? null,
      kind,
      cause: cause.slice(0, 300),
      attempts: 1,
      arrived_at: new Date().toISOString(),
    };
    await this.changeLetters((letters) => {
      const others = letters.filter((each) => each.id !== id);
      if (others.length >= MAX_LETTERS) throw new Error("no room for another dead letter");
      return [...others, { ...letter, payload }];
    });
  }

  async letters() {
    return (await new Transaction(this.client).get("dead-letters")) ?? [];
  }

  async changeLetters(change) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const tx = new Transaction(this.client);
      tx.put("dead-letters", change((await tx.get("dead-letters")) ?? []));
      if (await tx.commit()) return;
    }
    throw new Error("the dead letters could not be changed");
  }

  /** The four routes that `workspace dead-letters` calls. */
  showDeadLetters() {
    const routes = express.Router();
    const remove = (id) => this.changeLetters((all) => all.filter((each) => each.id !== id));
    const found = (answer) => async (request, response) => {
      const letter = (await this.letters()).find(({ id }) => id === request.params.id);
      if (!letter) return response.status(404).send({ detail: "there is no such dead letter" });
      try {
        return response.send(await answer(letter));
      } catch (error) {
        return response.status(422).send({ detail: `it failed again: ${error.message}` });
      }
    };
    routes.get("/", async (_, response) => {
      const letters = (await this.letters()).map(({ payload, ...summary }) => summary);
      response.send({ count: letters.length, letters, next_page: null });
    });
    routes.get("/:id", found(async (letter) => letter));
    routes.post(
      "/:id/replay",
      found(async ({ id, topic, payload }) => {
        const event = readEvent(JSON.parse(payload));
        for (const outcome of await this.process(topic ?? topicOf(event.type), event)) {
          await this.publish(event.replyto ?? topicOf(outcome.type), outcome);
        }
        await remove(id);
        return { id, topic };
      }),
    );
    routes.post(
      "/:id/discard",
      found(async (letter) => {
        await remove(letter.id);
        return letter;
      }),
    );
    this.api.use("/dead-letters", routes);
  }
}

class Transaction {
  constructor(client) {
    this.client = client;
    this.etags = new Map();
    this.writes = [];
  }

  async get(key) {
    const [found] = await this.client.state.getBulk(STORE, [key]);
    if (found?.error) throw new Error(found.error);
    this.etags.set(key, found?.etag);
    return found?.data || undefined;
  }

  put(key, value, ttlSeconds) {
    const request = {
      key,
      value,
      etag: this.etags.get(key),
      // Without an ETag: only if nobody has written it meanwhile.
      options: { concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE },
      ...(ttlSeconds && { metadata: { ttlInSeconds: String(ttlSeconds) } }),
    };
    this.writes.push({ operation: "upsert", request });
  }

  discard() {
    this.writes = [];
  }

  /** False if another one was first. */
  async commit() {
    try {
      await this.client.state.transaction(STORE, this.writes);
      return true;
    } catch (error) {
      if (/etag|constraint/i.test(String(error))) return false;
      throw error;
    }
  }
}

function readEvent(message) {
  const texts = [message?.id, message?.source, message?.type];
  if (!texts.every((each) => typeof each === "string" && each) || !message.data) {
    throw new Rejected("not a CloudEvent");
  }
  return message;
}

function isTheToken(given = "") {
  const wanted = process.env.APP_API_TOKEN ?? "";
  const [a, b] = [given, wanted].map((text) => createHash("sha256").update(text).digest());
  return !wanted || timingSafeEqual(a, b);
}

function topicOf(type) {
  return type.replace(/\.v\d+$/, "");
}

/** The same for the same parts, as the chassis derives it: the fault suite looks inboxes up by it. */
function derivedId(...parts) {
  return uuid5(NAMESPACE, parts.join("\x1f"));
}

function uuid5(namespace, name) {
  const bytes = createHash("sha1").update(Buffer.from(namespace.replaceAll("-", ""), "hex"));
  const digest = bytes.update(name).digest().subarray(0, 16);
  digest[6] = (digest[6] & 0x0f) | 0x50;
  digest[8] = (digest[8] & 0x3f) | 0x80;
  return digest.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** For the tests: it dies after a commit, once, when the file is there that `DIE_AT` names. */
function dieOnce() {
  const file = process.env.DIE_AT;
  if (!file || !existsSync(file)) return;
  renameSync(file, `${file}.died`);
  process.kill(process.pid, "SIGKILL");
}
