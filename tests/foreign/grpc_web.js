// A page's own client: gRPC-Web over fetch and the few bytes of protobuf that it needs, written by hand.

const STATES = ["STATE_UNSPECIFIED", "RUNNING", "COMPLETING", "COMPLETED", "COMPENSATING", "FAILED"];
const TRAILERS = 0x80;

// The fields of a message by number: numbers of a varint, bytes of everything else; each the last of its kind.
function fieldsOf(bytes) {
  const fields = {};
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      fields[tag >> 3] = varint();
    } else if ((tag & 7) === 2) {
      const length = varint();
      fields[tag >> 3] = bytes.subarray(at, (at += length));
    } else {
      throw new Error(`wire type ${tag & 7} is not expected`);
    }
  }
  return fields;
}

const text = (bytes) => new TextDecoder().decode(bytes);

// A frame around a message whose only field is a short name: { name = 1 }.
function requestFor(name) {
  const value = new TextEncoder().encode(name);
  return new Uint8Array([0, 0, 0, 0, value.length + 2, 0x0a, value.length, ...value]);
}

// Calls a method and hands over each message as it comes. Returns the trailers, which may be headers of an empty answer.
async function call(method, name, onMessage) {
  const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
  const answer = await fetch(`/${method}`, { method: "POST", headers, body: requestFor(name) });
  const trailers = new Map(answer.headers);
  const reader = answer.body.getReader();
  let waiting = new Uint8Array();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    waiting = new Uint8Array([...waiting, ...part.value]);
    while (waiting.length >= 5) {
      const end = 5 + new DataView(waiting.buffer, waiting.byteOffset).getUint32(1);
      if (waiting.length < end) break;
      const frame = waiting.subarray(5, end);
      if (waiting[0] & TRAILERS) {
        for (const line of text(frame).trim().split("\r\n")) {
          const colon = line.indexOf(":");
          trailers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
        }
      } else {
        onMessage(fieldsOf(frame));
      }
      waiting = waiting.slice(end);
    }
  }
  return trailers;
}

// The reason in the ErrorInfo of the details: Status { details = 3 }, Any { value = 2 }, ErrorInfo { reason = 1 }.
function reasonOf(trailers) {
  const packed = trailers.get("grpc-status-details-bin");
  if (!packed) return "";
  const status = fieldsOf(Uint8Array.from(atob(packed.replace(/=+$/, "")), (letter) => letter.charCodeAt(0)));
  return text(fieldsOf(fieldsOf(status[3])[2])[1]);
}

// Shows a checkout on the page: { name = 1, amount = 5, state = 8 }, then how the call ended.
async function show(method, name) {
  document.body.innerHTML = '<p id="name"></p><p id="amount"></p><p id="state"></p><p id="ended"></p>';
  const put = (id, value) => (document.getElementById(id).textContent = value);
  try {
    const trailers = await call(`ticketing.orchestrator.v1.CheckoutService/${method}`, name, (checkout) => {
      put("name", text(checkout[1]));
      put("amount", checkout[5] ?? 0);
      put("state", STATES[checkout[8]]);
    });
    put("ended", `grpc-status ${trailers.get("grpc-status")} ${reasonOf(trailers)}`.trim());
  } catch (error) {
    put("ended", `it broke: ${error}`);
  }
}
