"""All peers, in the order in which they are shown."""

from peer import Peer
from peer_disk import Disk
from peer_nginx import Nginx, NginxHashed
from peer_product import Product, ProductWithoutReceipts
from peer_sftp import Sftp
from peer_sinks import GrpcSink, TlsSink

PEERS: list[type[Peer]] = [
    Product,
    ProductWithoutReceipts,
    GrpcSink,
    TlsSink,
    NginxHashed,
    Nginx,
    Sftp,
    Disk,
]
