// An operator on node-smpp. What it does and says is in scripts.py.
'use strict';
const smpp = require('smpp');

const [password, refused] = process.argv.slice(2);
let taken = 0;

const say = (event, facts) => console.log(JSON.stringify({ event, ...facts }));
const nameOf = (names, value) => Object.keys(names).find((name) => names[name] === value);
const statusOf = (pdu) => nameOf(smpp.errors, pdu.command_status);

const server = smpp.createServer((session) => {
  session.on('error', (error) => say('error', { what: String(error) }));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response(), () => session.close()));
  session.on('bind_transceiver', (pdu) => {
    const status = pdu.password === password ? smpp.ESME_ROK : smpp.ESME_RINVPASWD;
    say('bind', { status: nameOf(smpp.errors, status) });
    session.send(pdu.response({ command_status: status, system_id: 'node' }));
    if (status) session.close();
  });
  session.on('submit_sm', (pdu) => {
    if (pdu.destination_addr === refused) {
      session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
      return;
    }
    taken += 1;
    const id = `N${taken}`;
    say('submit', { number: pdu.destination_addr, text: pdu.short_message.message });
    session.send(pdu.response({ message_id: id }));
    const receipt =
      `id:${id} sub:001 dlvrd:001 submit date:2611260129 done date:2611260130 ` +
      'stat:DELIVRD err:000 text:';
    deliver(session, pdu, 'receipt', { esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT }, receipt);
    deliver(session, pdu, 'message', {}, 'hello');
  });
});

// From the one to whom this message went.
function deliver(session, submitted, kind, fields, text) {
  const addresses = {
    source_addr: submitted.destination_addr,
    source_addr_ton: submitted.dest_addr_ton,
    source_addr_npi: submitted.dest_addr_npi,
    destination_addr: submitted.source_addr,
    dest_addr_ton: submitted.source_addr_ton,
    dest_addr_npi: submitted.source_addr_npi,
  };
  session.deliver_sm({ ...addresses, ...fields, short_message: text }, (pdu) => {
    say('delivered', { kind, number: submitted.destination_addr, status: statusOf(pdu) });
  });
}

server.listen(0, '127.0.0.1', () => say('listening', { port: server.address().port }));
