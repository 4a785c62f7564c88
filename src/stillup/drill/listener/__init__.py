"""The listener: who answers for each virtual IP, as heard on the wire (``python -m stillup.drill.listener``).

It asks everybody on the LAN every 20 ms, by ARP and by neighbour solicitation, and writes down every
answer; two that hold an address both answer. ``frames`` are the questions and answers as bytes,
``on_link`` says where an address can be asked for, ``packets`` is the kernel's side of it, ``start``
starts the program. Standard library only; it needs CAP_NET_RAW and to be on the LAN.
"""
