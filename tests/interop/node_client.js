// A client on node-smpp: node node_client.js PORT PASSWORD "NUMBER TEXT" ...
// What it says is in scripts.py.
'use strict';
const smpp = require('smpp');

const [port, password, ...messages] = process.argv.slice(2);
let due = messages.length;

const say = (event, facts) => console.log(JSON.stringify({ event, ...facts }));
const nameOf = (names, value) => Object.keys(names).find((name) => names[name] === value);
const statusOf = (pdu) => nameOf(smpp.errors, pdu.command_status);

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` }, () => {
  session.bind_transceiver({ system_id: 'bank', password }, (pdu) => {
    say('bind', { status: statusOf(pdu) });
    if (pdu.command_status) session.close();
    else messages.forEach(submit);
  });
});

function submit(message) {
  const [number, ...words] = message.split(' ');
  if (number.includes(',')) {
    submitToAll(number, words.join(' '));
    return;
  }
  const fields = {
    source_addr: 'BANK',
    source_addr_ton: 5,
    destination_addr: number,
    short_message: words.join(' '),
    registered_delivery: 1,
  };
  session.submit_sm(fields, (pdu) => {
    say('answer', { number, status: statusOf(pdu), id: pdu.message_id });
    if (pdu.command_status) over();
  });
}

function submitToAll(numbers, text) {
  const all = numbers.split(',');
  const fields = {
    source_addr: 'BANK',
    source_addr_ton: 5,
    dest_address: all.map((one) =>
      one.startsWith('@') ? { dl_name: one.slice(1) } : { destination_addr: one },
    ),
    short_message: text,
    registered_delivery: 1,
  };
  due += all.length - 1;
  session.submit_multi(fields, (pdu) => {
    const refused = pdu.unsuccess_sme || [];
    say('answer', {
      number: numbers,
      status: statusOf(pdu),
      id: pdu.message_id,
      refused: refused.map((one) => [
        one.destination_addr,
        nameOf(smpp.errors, one.error_status_code),
      ]),
    });
    refused.forEach(over);
  });
}

session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  say('receipt', {
    number: pdu.source_addr,
    id: pdu.receipted_message_id,
    state: nameOf(smpp.consts.MESSAGE_STATE, pdu.message_state),
    text: pdu.short_message.message,
  });
  over();
});

// One more message was refused or has its receipt.
function over() {
  due -= 1;
  if (due) return;
  session.unbind((pdu) => {
    say('unbind', { status: statusOf(pdu) });
    session.close();
  });
}
