// Shipping of the example in another language: the participant that dispatches an order.
import { Member, Rejected } from "./member.js";

const SERVED = new Set(["BE", "DE", "FR", "NL", "US"]);

const member = new Member("shipping");

async function dispatch(event, tx) {
  const { order_id, order } = event.data;
  if (typeof order_id !== "string" || typeof order?.country !== "string") {
    throw new Rejected("order_id and order.country are missing");
  }
  const key = `shipment-${order_id}`;
  let shipment = await tx.get(key);
  // Idempotent by order too: what was decided for it stands.
  if (!shipment) {
    const { country } = order;
    shipment = SERVED.has(country)
      ? { order_id, country, status: "dispatched", tracking: `${country}-${order_id.slice(0, 8)}` }
      : { order_id, country, status: "failed", reason: `no carrier serves ${country}` };
    tx.put(key, shipment);
  }
  const { country, tracking, reason } = shipment;
  return shipment.status === "dispatched"
    ? [{ type: "shipment-dispatched.v1", data: { order_id, country, tracking } }]
    : [{ type: "shipment-failed.v1", data: { order_id, reason } }];
}

member.on("payment-captured", dispatch);
member.takes("dispatch-shipment", dispatch);
member.get("/shipments/:id", async ({ id }) => {
  const [{ data }] = await member.client.state.getBulk("statestore", [`shipment-${id}`]);
  return data || undefined;
});
await member.start();
