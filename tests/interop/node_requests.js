// A client on node-smpp that asks about its messages, one step after the other:
// node node_requests.js PORT PASSWORD "submit NUMBER TEXT" "query ID" "cancel ID" "replace ID TEXT" ...
// `data` is a submit by data_sm; an ID of -N is that of the Nth answer before.
// It says `answer` {step, status} for each, with the id of a submit, and of a query the state,
// final_date (whether there is one) and error_code; and `unbind` at the end.
'use strict';
const smpp = require('smpp');

const [port, password, ...steps] = process.argv.slice(2);

const say = (event, facts) => console.log(JSON.stringify({ event, ...facts }));
const nameOf = (names, value) => Object.keys(names).find((name) => names[name] === value);

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` }, () => {
  session.bind_transmitter({ system_id: 'bank', password }, (pdu) => {
    if (pdu.command_status) session.close();
    else next();
  });
});

const ids = [];
const source = { source_addr: 'BANK', source_addr_ton: 5, source_addr_npi: 0 };

const asks = {
  submit: (number, text) => ['submit_sm', {
    ...source, destination_addr: number, dest_addr_ton: 1, dest_addr_npi: 1, short_message: text,
    registered_delivery: 1,
  }],
  data: (number, text) => ['data_sm', {
    ...source, destination_addr: number, dest_addr_ton: 1, dest_addr_npi: 1,
    registered_delivery: 1, message_payload: text,
  }],
  query: (id) => ['query_sm', { ...source, message_id: id }],
  cancel: (id) => ['cancel_sm', { ...source, message_id: id }],
  replace: (id, text) => ['replace_sm', {
    ...source, message_id: id, short_message: text, registered_delivery: 1,
  }],
};

function next() {
  const step = steps.shift();
  if (step === undefined) {
    session.unbind(() => {
      say('unbind', {});
      session.close();
    });
    return;
  }
  const [kind, id, ...words] = step.split(' ');
  const [command, fields] = asks[kind](/^-/.test(id) ? ids.at(Number(id)) : id, words.join(' '));
  session[command](fields, (pdu) => {
    const facts = { step: kind, status: nameOf(smpp.errors, pdu.command_status), id: pdu.message_id };
    ids.push(pdu.message_id);
    if (kind === 'query' && !pdu.command_status) {
      facts.state = nameOf(smpp.consts.MESSAGE_STATE, pdu.message_state);
      facts.is_dated = Boolean(pdu.final_date);
      facts.error_code = pdu.error_code;
    }
    say('answer', facts);
    next();
  });
}
