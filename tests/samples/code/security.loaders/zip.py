# expect: security.loaders
import zipimport

zipimport.zipimporter("data.zip").load_module("payload")
