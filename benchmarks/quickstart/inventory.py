from step import participant

app = participant("order-placed", "stock-reserved")
