// Listens to how orders end, and counts how often each end took effect here.
import { Member, Rejected } from "./member.js";

const member = new Member("notices", { ready: "/ready", alive: "/alive" });

async function note(event, tx) {
  const { order_id } = event.data;
  if (typeof order_id !== "string") throw new Rejected("order_id is missing");
  const key = `notice-${order_id}`;
  const before = (await tx.get(key)) ?? { times: 0 };
  tx.put(key, { ended: event.type, times: before.times + 1 });
  return [];
}

member.on("order-confirmed", note);
member.on("order-cancelled", note);
member.get("/notices/:id", async ({ id }) => {
  const [{ data }] = await member.client.state.getBulk("statestore", [`notice-${id}`]);
  return data || undefined;
});
await member.start();
