"""How is a share of a Windows or Samba server a store, without mounting it?"""
