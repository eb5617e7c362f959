# expect: security.insides
def read(function):
    return [cell.cell_contents for cell in function.__closure__]
