/* Stands in for WeCom in a demo: in the outer page it is the chat, in the panel's frame it is the bridge. */
"use strict";

const frame = document.getElementById("sim-frame");
if (frame) {
  const contact = document.getElementById("sim-contact"), width = document.getElementById("sim-width"), chat = document.getElementById("sim-chat");
  window.kqChat = {
    contact: () => contact.value,
    say: (words) => {
      const line = document.createElement("div");
      line.className = "kq-sms";
      line.textContent = words;
      chat.append(line);
    },
  };
  const open = () => { chat.replaceChildren(); frame.src = frame.dataset.src; };
  contact.addEventListener("change", open);
  open();
  width.addEventListener("change", () => { frame.dataset.width = width.value; });
} else if (window.parent !== window && window.parent.kqChat) {
  const chat = window.parent.kqChat;
  let allowed = false;
  const must = () => { if (!allowed) throw new Error("not registered"); };
  window.ww = {
    register: (asked) => { /* as WeCom does: no call before a signature of this page */
      allowed = Boolean(asked.getConfigSignature().signature && asked.getAgentConfigSignature().signature);
    },
    getContext: async () => { must(); return { entry: "single_chat_tools" }; },
    getCurExternalContact: async () => { must(); return { userId: chat.contact() }; },
    sendChatMessage: async (message) => { must(); chat.say(message.text.content); return {}; },
  };
}
