// A client and a server of jsmodbus over node's TLS: obeys lines of JSON; see `TlsProgram`.
//
// NODE_PATH has the folder node_modules. {"serve": ...} begins a server, and is answered with its
// port; it knows no roles. {"port": ...} makes a client take the `steps`, and is answered with a
// list of their results, such as [7, 7], {"exception": 1} or {"refused": text}.

"use strict";

const events = require("events");
const fs = require("fs");
const readline = require("readline");
const tls = require("tls");
const jsmodbus = require("jsmodbus");

const TIMEOUT = 20000; // milliseconds

function optionsOf(task) {
  const found = { ca: fs.readFileSync(task.ca), minVersion: task.version, maxVersion: task.version };
  if (task.certificate) {
    found.cert = fs.readFileSync(task.certificate);
    found.key = fs.readFileSync(task.key);
  }
  return found;
}

async function stepped(client, [name, ...values]) {
  try {
    if (name === "read") {
      const { response } = await client.readHoldingRegisters(...values);
      return response.body.valuesAsArray;
    }
    const { response } = await client.writeSingleRegister(...values);
    return response.body.value;
  } catch (error) {
    if (error.err !== "ModbusException") throw error;
    return { exception: error.response.body.code };
  }
}

async function take(task) {
  const found = [];
  const socket = tls.connect({ host: "127.0.0.1", port: task.port, ...optionsOf(task) });
  const client = new jsmodbus.client.TCP(socket, 1, TIMEOUT);
  const failed = new Promise((_, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
  });
  failed.catch(() => {});
  try {
    await Promise.race([events.once(socket, "secureConnect"), failed]);
    for (const step of task.steps) {
      const result = stepped(client, step);
      result.catch(() => {}); // it is lost with the connection
      found.push(await Promise.race([result, failed]));
    }
  } catch (error) {
    found.push({ refused: `${error.code || error.err}: ${error.message}` });
  }
  socket.destroy();
  return found;
}

async function serve(task) {
  const holding = Buffer.alloc(400);
  for (let place = 0; place < 400; place += 2) holding.writeUInt16BE(7, place);
  const server = tls.createServer({ requestCert: true, rejectUnauthorized: true, ...optionsOf(task) });
  // A server of tls has "connection" for connections without TLS; jsmodbus listens to that.
  const secured = new events.EventEmitter();
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    secured.emit("connection", socket);
  });
  server.on("tlsClientError", () => {});
  new jsmodbus.server.TCP(secured, { holding });
  server.listen(0, "127.0.0.1");
  await events.once(server, "listening");
  return server.address().port;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const task = JSON.parse(line);
    console.log(JSON.stringify(await ("serve" in task ? serve : take)(task)));
  }
  process.exit(0);
}

main();
